module example.com/shop/libs/greet

go 1.25.0
