<?php

class Counter implements Stringable
{
    public function __construct(private int $value)
    {
    }

    public function __toString(): string
    {
        return (string) $this->value;
    }
}
