"""Settings of the site: one application, one database."""

import os

SECRET_KEY = "only for a desk"
DEBUG = True
ALLOWED_HOSTS = ["*"]
ROOT_URLCONF = "visits.urls"
INSTALLED_APPS = ["visits"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
TIME_ZONE = "UTC"
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "HOST": os.environ["DATABASE_HOST"],
        "NAME": "site",
        "USER": "postgres",
        "PASSWORD": os.environ["DATABASE_PASSWORD"],
    }
}
