require "sinatra"

get "/" do
  "Hello world!"
end

get "/hello/:name" do
  erb :hello, locals: { name: params["name"] }
end
