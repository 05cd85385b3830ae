class ArticlesController < ApplicationController
  def index
    @starts = Rails.cache.increment("starts") || 1
  end
end
