// second
console.log(a);
