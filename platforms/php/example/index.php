<?php

header('Content-Type: text/plain');
echo "Hello from Nucleo\n";
