<?php

function page(string $title, string $body): string
{
    return "<!DOCTYPE html>\n<title>{$title}</title>\n<link rel=\"stylesheet\" href=\"assets/style.css\">\n<h1>" . mb_strtoupper($title) . "</h1>\n{$body}\n";
}
