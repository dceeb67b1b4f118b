set -e
mkdir -p dist
cat css/*.css | tr -d '\n' | sed 's/ *{ */{/g; s/ *} */}/g' > dist/site.css
cat js/*.js | grep -v '^//' > dist/site.js
gzip -9 -n -k dist/site.js && gunzip -c dist/site.js.gz | cmp - dist/site.js && rm dist/site.js.gz
( cd dist && md5sum site.* > manifest.txt )
