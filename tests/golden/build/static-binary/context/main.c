#include <stdio.h>

int main(int count, char **words) {
    printf("static, %d words\n", count);
    return 0;
}
