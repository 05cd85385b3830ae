require "sprockets"

namespace :assets do
  desc "Compile the assets"
  task precompile: :environment do
    sprockets = Sprockets::Environment.new(Rails.root)
    sprockets.append_path("app/assets/stylesheets")
    Sprockets::Manifest.new(sprockets, Rails.public_path.join("assets").to_s).compile("application.css")
  end
end
