# The released static program and nothing else: no shell, no package, no user but a number. Built by the release from
# binaries that are there already: docker buildx build --platform linux/amd64,linux/arm64 --build-context binaries=DIRECTORY .
# where DIRECTORY holds linux-amd64/milvus-uplift and linux-arm64/milvus-uplift.
FROM scratch
ARG TARGETOS=linux
ARG TARGETARCH
COPY --from=binaries --chmod=0755 ${TARGETOS}-${TARGETARCH}/milvus-uplift /usr/local/bin/milvus-uplift
COPY LICENSE /LICENSE
USER 65532:65532
WORKDIR /work
ENTRYPOINT ["/usr/local/bin/milvus-uplift"]
