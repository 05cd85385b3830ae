Gem::Specification.new do |spec|
  spec.name = "greeting"
  spec.version = "0.1.0"
  spec.summary = "Greets"
  spec.authors = ["Nucleo"]
  spec.files = `git ls-files -z`.split("\x0")
  spec.add_dependency "rack", ">= 3"
end
