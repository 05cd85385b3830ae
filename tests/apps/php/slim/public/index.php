<?php

use Psr\Http\Message\ResponseInterface as Response;
use Psr\Http\Message\ServerRequestInterface as Request;

require __DIR__ . '/../vendor/autoload.php';

$app = new \Slim\App();

$app->get('/hello/{name}', function (Request $request, Response $response, array $args) {
    $response->getBody()->write('Hello, ' . htmlspecialchars($args['name']));
    return $response;
});

$app->run();
