# docker build -t afterword . && docker run -p 127.0.0.1:8640:8640 -v afterword:/data --stop-timeout 90 afterword
FROM python:3.13-slim

RUN useradd --uid 10001 --create-home afterword \
 && install -d -o afterword -g afterword -m 700 /data \
 && printf '#!/bin/sh\nexec python -m afterword "$@"\n' > /usr/local/bin/afterword \
 && chmod 755 /usr/local/bin/afterword
WORKDIR /opt/afterword
# Every package with the hashes of all its files: first, since they change less often than the program.
COPY requirements.txt ./
RUN python -m pip install --no-cache-dir --no-compile --require-hashes --no-deps --requirement requirements.txt
COPY LICENSE ./
COPY src ./src

# What is compiled, by Python too, lies where the user may write: the next start and every command are faster by it.
ENV PYTHONPATH=/opt/afterword/src \
    PYTHONPYCACHEPREFIX=/home/afterword/compiled \
    PYTHONUNBUFFERED=1 \
    NUMBA_CACHE_DIR=/home/afterword/compiled \
    AFTERWORD_DATA=/data \
    AFTERWORD_HOST=0.0.0.0 \
    AFTERWORD_PORT=8640
USER afterword
VOLUME /data
EXPOSE 8640
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=60s CMD ["python", "-c", "import os, urllib.request; urllib.request.urlopen('http://127.0.0.1:' + os.environ['AFTERWORD_PORT'] + '/healthz', timeout=4)"]
ENTRYPOINT ["python", "-m", "afterword"]
CMD ["serve"]
