"""The one page of the site."""

import socket

from django.http import HttpRequest, HttpResponse

from visits.models import Visit


def index(request: HttpRequest) -> HttpResponse:
    host = socket.gethostname()
    Visit.objects.create(host=host)
    visits = Visit.objects.count()
    return HttpResponse(f"hello from {host}, visit {visits}\n")
