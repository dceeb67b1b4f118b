// first
let a = 1;
