hello api
