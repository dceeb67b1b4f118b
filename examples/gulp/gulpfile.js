// Pages are copied, scripts lose their comments.
const { dest, parallel, src } = require("gulp");
const { Transform } = require("stream");

const withoutComments = () =>
  new Transform({
    objectMode: true,
    transform(file, _encoding, done) {
      file.contents = Buffer.from(file.contents.toString().replace(/^\s*\/\/.*\n/gm, ""));
      done(null, file);
    },
  });

const pages = () => src("src/*.html").pipe(dest("public"));
const scripts = () => src("src/*.js").pipe(withoutComments()).pipe(dest("public"));

exports.default = parallel(pages, scripts);
