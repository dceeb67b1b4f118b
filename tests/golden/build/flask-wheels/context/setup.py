from setuptools import setup

setup(name="crew", version="1.0", packages=["crew"])
