module ApplicationHelper
  # Where assets:precompile put it.
  def compiled(name)
    "/assets/#{Blog::ASSETS.fetch(name)}"
  end
end
