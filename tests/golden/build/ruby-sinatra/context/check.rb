require_relative "app"
require "rack/test"

puts Rack::MockRequest.new(Harbour).get("/").body
