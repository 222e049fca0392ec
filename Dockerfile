# Not built by our tests. CPU only; see docs/deployment.md for a GPU and for a reverse proxy.
FROM python:3.11-slim
WORKDIR /app
COPY requirements.txt pyproject.toml LICENSE README.md ./
RUN pip install --no-cache-dir -r requirements.txt
COPY . .
RUN pip install --no-cache-dir --no-deps . && useradd --create-home labelfree
USER labelfree
EXPOSE 8501
HEALTHCHECK CMD python -c "import urllib.request as u; u.urlopen('http://127.0.0.1:8501/_stcore/health')"
CMD ["python", "-m", "streamlit", "run", "app.py", "--server.address=0.0.0.0", "--server.port=8501"]
