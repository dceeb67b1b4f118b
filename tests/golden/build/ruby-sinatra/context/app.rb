require "sinatra/base"

class Harbour < Sinatra::Base
  get("/") { "ahoy" }
end
