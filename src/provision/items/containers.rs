//! Container images, and the unit that loads each once. Touches nothing.
//!
//! Read next: `quadlet` (what runs one).

use super::context::Context;
use super::quadlet::{self, load_unit};
use crate::base::{Digest, Location, Spanned};
use crate::provision::engines::choice::Feature;
use crate::provision::guest::{GuestUnit, HEAD, PAYLOAD_SERIAL, PayloadFile, PayloadFormat, Remote};
use crate::recipe::Container;

/// Adds what brings containers and runs them.
pub(crate) fn containers(cx: &mut Context<'_>) {
    for row in &cx.recipe.provision.containers {
        let Spanned { value: container, place } = row;
        let (input, format) = cx.pins.image(container);
        let image = PayloadFile { path: format!("containers/{}.tar", container.name), input, format };
        let unit = unit(container, &image, place);
        cx.outputs.record(Feature::Containers, format!("unit {} loads an image once", unit.name));
        cx.outputs.guest(Feature::Containers).units.push(unit);
        cx.outputs.images.push(image);
        quadlet::run(row, cx);
    }
}

/// Writes the unit that loads an image, once.
///
/// The archive passes through `/var/cache`, which is on a disk, and is gone afterwards. Steps are lines of their own
/// because a pipe would hide the failure of its first command. What it loads has the name that the archive gives it.
fn unit(container: &Container, image: &PayloadFile, place: &Location) -> GuestUnit {
    let PayloadFile { path, input: Remote { digest, .. }, format } = image;
    let name = container.name.as_str();
    let own = container.quadlet.as_ref().map(|_| container.service());
    let others = container.before.iter().map(|unit| unit.as_str()).filter(|unit| own.as_deref() != Some(unit));
    let before: String = own.as_deref().into_iter().chain(others).map(|unit| format!("Before={unit}\n")).collect();
    let device = format!("/dev/disk/by-id/virtio-{PAYLOAD_SERIAL}");
    let done = match format {
        PayloadFormat::AsItIs => format!("arca-build/loaded-{digest}"),
        // The same image may be wanted under two names.
        PayloadFormat::OciArchive { .. } => format!("arca-build/loaded-{name}-{digest}"),
    };
    let check = check(format, path, digest);
    let text = format!(
        "{HEAD}\
         [Unit]\n\
         Description=Load the container image {name} from the payload disk\n\
         ConditionPathExists={device}\n\
         ConditionPathExists=!/var/lib/{done}\n\
         RequiresMountsFor=/var/lib/containers /var/lib/arca-build /var/cache/arca-build\n\
         {before}\n\
         [Service]\n\
         Type=oneshot\n\
         CacheDirectory=arca-build/{name}\n\
         StateDirectory=arca-build\n\
         ExecStart=/usr/bin/tar -xf {device} -C /var/cache/arca-build/{name} {path}\n\
         ExecStart=/bin/sh -c 'cd /var/cache/arca-build/{name} && {check}'\n\
         ExecStart=/usr/bin/podman load --input /var/cache/arca-build/{name}/{path}\n\
         ExecStart=/usr/bin/touch /var/lib/{done}\n\
         ExecStopPost=/usr/bin/rm -rf /var/cache/arca-build/{name}/containers\n\
         \n\
         [Install]\n\
         WantedBy=multi-user.target\n"
    );
    GuestUnit::new(load_unit(container), Some(true), text, place)
}

/// Writes what compares the archive with its pin. One that is packed in the build has no pin of its own, but its manifest
/// has, and podman compares with that one whatever else it loads.
fn check(format: &PayloadFormat, path: &str, digest: &Digest) -> String {
    match format {
        PayloadFormat::AsItIs => format!("echo \"{digest}  {path}\" | sha256sum -c"),
        PayloadFormat::OciArchive { .. } => {
            let manifest = format!("blobs/sha256/{digest}");
            format!(
                "tar -xf {path} -C containers {manifest} && echo \"{digest}  containers/{manifest}\" | sha256sum -c"
            )
        }
    }
}
