package com.example;

import io.javalin.Javalin;

public class Main {
    public static void main(String[] args) {
        String port = System.getenv().getOrDefault("PORT", "7070");
        Javalin.create(/*config*/)
            .get("/", ctx -> ctx.result(new Greeter().greet()))
            .start(Integer.parseInt(port));
    }
}
