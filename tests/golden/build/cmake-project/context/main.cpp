#include <iostream>

int main() { std::cout << "ahoy from c++\n"; }
