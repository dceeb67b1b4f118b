export const greet = (name) => `ahoy, ${name}`;
export const unused = 1;
