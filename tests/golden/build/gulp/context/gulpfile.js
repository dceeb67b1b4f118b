const { src, dest, series } = require("gulp");

const styles = () => src("assets/*.css").pipe(dest("public/css"));
const scripts = () => src("assets/*.js").pipe(dest("public/js"));

exports.default = series(styles, scripts);
