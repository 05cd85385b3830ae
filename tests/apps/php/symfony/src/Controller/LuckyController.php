<?php

namespace App\Controller;

use Symfony\Component\DependencyInjection\Attribute\Autowire;
use Symfony\Component\HttpFoundation\Response;
use Symfony\Component\HttpKernel\Attribute\AsController;
use Symfony\Component\Routing\Attribute\Route;

#[AsController]
class LuckyController
{
    public function __construct(#[Autowire('%env(LUCKY_NUMBER)%')] private string $number)
    {
    }

    #[Route('/lucky/number')]
    public function number(): Response
    {
        return new Response("<html><body>Lucky number: {$this->number}</body></html>");
    }
}
