package com.example.bench;

import org.springframework.boot.SpringApplication;
import org.springframework.boot.autoconfigure.SpringBootApplication;
import org.springframework.web.bind.annotation.GetMapping;
import org.springframework.web.bind.annotation.RestController;

@SpringBootApplication
@RestController
public class BenchApplication {

    public static void main(String[] arguments) {
        SpringApplication.run(BenchApplication.class, arguments);
    }

    @GetMapping("/")
    String answer() {
        return "first";
    }
}
