<?php

require __DIR__ . '/vendor/autoload.php';

echo page('Home', '<a href="about.php">About</a>');
