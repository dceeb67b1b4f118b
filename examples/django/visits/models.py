"""What the site remembers."""

from django.db import models


class Visit(models.Model):
    """One request, and which container answered it."""

    host = models.CharField(max_length=64)
