{
  description = "Builds provisioned, reproducible VM bundles from one TOML recipe";

  # The toolchain must be at least the `rust-version` of Cargo.toml.
  inputs.nixpkgs.url = "github:NixOS/nixpkgs/nixos-unstable";

  outputs =
    { self, nixpkgs }:
    let
      forEachSystem =
        outputsOf:
        nixpkgs.lib.genAttrs [ "x86_64-linux" "aarch64-linux" ] (
          system: outputsOf system nixpkgs.legacyPackages.${system}
        );

      manifest = (builtins.fromTOML (builtins.readFile ./Cargo.toml)).package;

      # The tools that `tests/oracle` asks; a test whose tool is missing says so and is skipped.
      oracles = pkgs: [
        pkgs.curl
        pkgs.dosfstools
        pkgs.gnupg
        pkgs.gptfdisk
        pkgs.libvirt
        pkgs.libxml2
        pkgs.mtools
        pkgs.nginx
        pkgs.qemu
        pkgs.shellcheck
        pkgs.strace
        pkgs.util-linux
        pkgs.virt-manager
        pkgs.xorriso
      ];

      arcaBuild =
        pkgs: changes:
        pkgs.rustPlatform.buildRustPackage (
          {
            pname = manifest.name;
            version = manifest.version;
            src = self;
            cargoLock.lockFile = ./Cargo.lock;
            meta = {
              description = manifest.description;
              license = [
                pkgs.lib.licenses.mit
                pkgs.lib.licenses.asl20
              ];
              mainProgram = manifest.name;
              platforms = pkgs.lib.platforms.linux;
            };
          }
          // changes
        );
    in
    {
      packages = forEachSystem (_system: pkgs: rec {
        arca-build = arcaBuild pkgs { };
        default = arca-build;
      });

      apps = forEachSystem (system: _pkgs: rec {
        arca-build = {
          type = "app";
          program = "${self.packages.${system}.arca-build}/bin/arca-build";
        };
        default = arca-build;
      });

      devShells = forEachSystem (system: pkgs: {
        default = pkgs.mkShell {
          inputsFrom = [ self.packages.${system}.arca-build ];
          packages = oracles pkgs ++ [
            pkgs.cargo-nextest
            pkgs.clippy
            pkgs.rust-analyzer
            pkgs.rustfmt
          ];
        };
      });

      checks = forEachSystem (system: pkgs: {
        # Builds and runs the tests, without and with the real tools.
        package = self.packages.${system}.arca-build;
        oracles = arcaBuild pkgs {
          pname = "arca-build-oracles";
          nativeCheckInputs = oracles pkgs;
        };
        clippy = arcaBuild pkgs {
          pname = "arca-build-clippy";
          nativeBuildInputs = [ pkgs.clippy ];
          buildPhase = "cargo clippy --offline --all-targets -- -D warnings";
          installPhase = "touch $out";
          doCheck = false;
        };
        format = arcaBuild pkgs {
          pname = "arca-build-format";
          nativeBuildInputs = [ pkgs.rustfmt ];
          buildPhase = "cargo fmt --check";
          installPhase = "touch $out";
          doCheck = false;
        };
      });
    };
}
