hello web
