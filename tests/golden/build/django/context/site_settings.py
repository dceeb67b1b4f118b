import os

SECRET_KEY = os.environ.get("SECRET_KEY", "not for production")
INSTALLED_APPS = ["django.contrib.staticfiles", "harbour"]
ROOT_URLCONF = "harbour.urls"
STATIC_URL = "/static/"
STATIC_ROOT = "/srv/site/static-root"
ALLOWED_HOSTS = ["*"]
