class App < Sinatra::Base
  configure { enable :logging }

  get("/hello/:name") { Greeting.hello(params["name"]) }
end
