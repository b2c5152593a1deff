#!/bin/sh
set -eu
. /etc/site.conf
echo "<h1>$title</h1>" >/srv/index.html
echo "wrote the page: $title"
while sleep 3600; do :; done
