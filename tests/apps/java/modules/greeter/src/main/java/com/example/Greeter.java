package com.example;

public class Greeter {
    public String greet() {
        return "Hello from another module";
    }
}
