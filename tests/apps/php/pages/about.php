<?php

require __DIR__ . '/vendor/autoload.php';

session_start();
$_SESSION['seen'] = ($_SESSION['seen'] ?? 0) + 1;

echo page('About', 'Visits: ' . (new Counter($_SESSION['seen'])));
