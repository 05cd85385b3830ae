# What assets:precompile wrote, by the names that the views know. Empty while it runs.
manifest = Rails.public_path.glob("assets/.sprockets-manifest-*.json").first
Blog::ASSETS = manifest ? JSON.parse(manifest.read).fetch("assets") : {}
