module Greeting
  def self.hello(name) = "Hello, #{Rack::Utils.escape_html(name)}"
end
