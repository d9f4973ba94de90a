# The image: one static binary and the CA certificates, nothing else.
#
# Built natively for the machine's architecture; for several, run one build on each (or let
# BuildKit emulate them) and join the images in a manifest list.

FROM rust:1.95-slim-bookworm AS build
WORKDIR /source
COPY . .
RUN cargo build --release --locked --package irsa-probe \
    && cp target/*/release/irsa-probe /irsa-probe

FROM scratch AS image
LABEL org.opencontainers.image.title="irsa-probe" \
      org.opencontainers.image.description="Says from inside a pod whether it gets its AWS role through IRSA, and if not, exactly why and who must change what" \
      org.opencontainers.image.version="0.1.0" \
      org.opencontainers.image.licenses="Apache-2.0"
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build /irsa-probe /irsa-probe
# A number, since runAsNonRoot cannot judge a name.
USER 65532:65532
ENTRYPOINT ["/irsa-probe"]
