FROM busybox
COPY . /app
