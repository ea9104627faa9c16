"""The texts of a server's files; what stands between $ and braces differs by server."""

from __future__ import annotations

from string import Template

DOCKERFILE = Template("""\
# Serves the photo classifier. Beside this file: ${wheel}${beside}
#   docker build -t fastclf . && docker run --rm -p 127.0.0.1:8866:8866 ${mount}fastclf
FROM python:3.12-slim

# the core alone: neither torch nor scikit-learn
COPY ${wheel} /tmp/
RUN pip install --no-cache-dir /tmp/${wheel} && rm /tmp/${wheel}

# the server is nobody who could change what is installed
RUN useradd --system --uid 10001 --create-home fastclf && install -d -o fastclf -g fastclf /data
${model}
USER fastclf
WORKDIR /home/fastclf
ENV PYTHONUNBUFFERED=1 FASTCLF_INBOX=/data/inbox.sqlite
VOLUME /data
EXPOSE 8866

# a file of the page: to ask for the page itself would start a session each time
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s \\
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:8866${health}')"]

CMD ["fastclf", "serve", "/srv/model", "--host", "0.0.0.0"${base_words}]
""")

MODEL_INSIDE = "COPY model /srv/model\n"
MODEL_MOUNTED = "# the model's folder is mounted at /srv/model\n"

DOCKERIGNORE = "*\n!*.whl\n!model\n"

COMPOSE = Template("""\
# docker compose up -d: the classifier, and Caddy in front of it, which gets the certificate for ${domain}.
services:
  fastclf:
    build: .
    restart: unless-stopped
    environment:
      FASTCLF_HOSTS: ${domain}
      # FASTCLF_MAX_VISITORS: "20"
    volumes:
      - inbox:/data
${model}    read_only: true
    tmpfs: [/tmp, /home/fastclf]
    cap_drop: [ALL]
    security_opt: ["no-new-privileges:true"]
    # 20 visitors; a stranger's photo cannot take all of the machine
    mem_limit: 2g

  caddy:
    image: caddy:2
    restart: unless-stopped
    depends_on: [fastclf]
    ports: ["80:80", "443:443"]
    environment:
      UPSTREAM: fastclf:8866
    volumes:
      - ./Caddyfile:/etc/caddy/Caddyfile:ro
      - certificates:/data

volumes:
  inbox:
  certificates:
""")

COMPOSE_MOUNT = "      - ./model:/srv/model:ro\n"

SERVICE = Template("""\
# Without a container, under systemd:
#   python3 -m venv /opt/fastclf && /opt/fastclf/bin/pip install ./${wheel} && cp -r model /opt/fastclf/
#   cp fastclf.service /etc/systemd/system/ && systemctl enable --now fastclf
[Unit]
Description=fastclf, a photo classifier
After=network.target

[Service]
ExecStart=/opt/fastclf/bin/fastclf serve /opt/fastclf/model${base_words}
Environment=FASTCLF_HOSTS=${domain}
Environment=FASTCLF_INBOX=%S/fastclf/inbox.sqlite HOME=%S/fastclf
Restart=on-failure
DynamicUser=yes
StateDirectory=fastclf
ProtectSystem=strict
ProtectHome=yes
PrivateTmp=yes
PrivateDevices=yes
NoNewPrivileges=yes
CapabilityBoundingSet=
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
MemoryMax=2G

[Install]
WantedBy=multi-user.target
""")

CADDYFILE = Template("""\
# Caddy gets the certificate by itself, and passes Host, Upgrade and Connection.
${domain} {
${redirect}	reverse_proxy ${path}{$$UPSTREAM:127.0.0.1:8866}
}
""")

NGINX = Template("""\
# /etc/nginx/conf.d/fastclf.conf; certbot or the like fills in the certificate.
map $$http_upgrade $$fastclf_connection {
    default upgrade;
    ''      '';
}

server {
    listen 443 ssl;
    server_name ${domain};
    ssl_certificate     /etc/ssl/certs/${domain}.pem;
    ssl_certificate_key /etc/ssl/private/${domain}.key;
${redirect}
    location ${base_url} {
        proxy_pass http://127.0.0.1:8866;
        proxy_http_version 1.1;
        # without these three no page gets its live connection
        proxy_set_header Host $$http_host;
        proxy_set_header Upgrade $$http_upgrade;
        proxy_set_header Connection $$fastclf_connection;
        # the page comes in pieces, and a visitor may think for a while
        proxy_buffering off;
        proxy_read_timeout 1h;
    }
}
""")

README = Template("""\
# A server for the photo classifier

${what}

In these files `${domain}` stands for the server's name, and the page is at `https://${domain}${base_url}`.

- **With Docker**: `docker compose up -d` builds and starts the classifier and Caddy, which gets the
  certificate.
- **With systemd**: the commands stand at the top of `fastclf.service`; then a proxy in front: `Caddyfile` or
  `nginx.conf`, which expect the classifier at 127.0.0.1:8866.

A proxy must pass the headers `Host`, `Upgrade` and `Connection`, and its name must be in `FASTCLF_HOSTS`. Who
may come, and how often, is the proxy's to say.

Reports of visitors wait in `inbox.sqlite` (the volume `inbox`; with systemd in `/var/lib/fastclf`).
""")
