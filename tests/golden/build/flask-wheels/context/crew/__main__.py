from crew import app

print(app.test_client().get('/').text)
