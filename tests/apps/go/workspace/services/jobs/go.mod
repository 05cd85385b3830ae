module example.com/shop/services/jobs

go 1.25.0
