//! Why an image is not taken as a base. Touches nothing. Read next: `gate`.

use crate::base::{ByteSize, Code, Diagnostic};

/// Why the gate stays shut; each says what would have happened had we gone on.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GateError {
    #[error("cannot read the image")]
    Io(#[from] std::io::Error),
    /// Something else than asked for would be booted.
    #[error("the file is not a qcow2 image but {found}")]
    NotQcow2 { found: &'static str },
    /// Two programs would see two different disks in one file.
    #[error("the file is a qcow2 image and also {other}")]
    Ambiguous { other: &'static str },
    /// The rest of the header would be made up.
    #[error("the image ends in its {part}: {length} bytes where {needed} are needed")]
    Truncated { part: &'static str, needed: u64, length: u64 },
    #[error("qcow2 version {0} is not supported (2 and 3 are)")]
    Version(u32),
    /// QEMU would open any file, device or network address of the host that the image names (CVE-2024-32498's kin).
    #[error("the image reads through a backing file (offset {offset}, {size} bytes)")]
    Backing { offset: u64, size: u32, name: String },
    /// QEMU would open the named file of the host and hand its bytes to the guest (CVE-2024-32498).
    #[error("the image keeps its data in another file")]
    DataFile { name: String },
    #[error("the image is encrypted ({0})")]
    Encrypted(&'static str),
    /// A reader that does not know the bit misreads the image.
    #[error("the image needs the incompatible feature {name} (bit {bit})")]
    Feature { bit: u32, name: &'static str },
    /// A crash or damage; a repair would change the bytes that were pinned.
    #[error("the image is marked {0}")]
    Dirty(&'static str),
    #[error("the image holds {0} internal snapshots")]
    Snapshots(u32),
    /// The field is absurd; a reader would overflow, read elsewhere or allocate without bound.
    #[error("the header field `{field}` at byte {offset} is {value}: {why}")]
    Field { field: &'static str, offset: u64, value: u64, why: &'static str },
    /// An entry of a mapping table points where no cluster can be.
    #[error("the {table} entry at byte {offset} is {value:#x}: {why}")]
    Entry { table: &'static str, offset: u64, value: u64, why: &'static str },
    #[error("the disk is {size} large, the limit is {limit}")]
    VirtualSize { size: ByteSize, limit: ByteSize },
}

impl GateError {
    /// Returns the stable code.
    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Io(_) => Code::Io,
            Self::NotQcow2 { .. } | Self::Ambiguous { .. } | Self::Truncated { .. } | Self::Version(_) => {
                Code::ImageFormat
            }
            Self::Backing { .. } => Code::ImageBacking,
            Self::DataFile { .. } => Code::ImageDataFile,
            Self::Encrypted(_) | Self::Feature { .. } | Self::Snapshots(_) => Code::ImageFeature,
            Self::Dirty(_) => Code::ImageDirty,
            Self::Field { .. } | Self::Entry { .. } | Self::VirtualSize { .. } => Code::ImageLimit,
        }
    }

    fn hint(&self) -> Option<&'static str> {
        Some(match self {
            Self::NotQcow2 { found } if found.contains("ISO 9660") => "write `kind = \"iso\"` under `[base]`",
            Self::NotQcow2 { found } if found.contains("HTML") => {
                "the server sent a page instead of the image; open the address in a browser"
            }
            Self::Backing { .. } | Self::DataFile { .. } | Self::Snapshots(_) | Self::Feature { .. } => {
                "if you trust the image, flatten it with `qemu-img convert -O qcow2` and pin the result"
            }
            Self::Dirty(_) => "take a clean image, or look at a copy of this one with `qemu-img check`",
            _ => return None,
        })
    }
}

impl From<GateError> for Diagnostic {
    fn from(error: GateError) -> Self {
        if let GateError::Io(cause) = &error {
            return Self::io("cannot read the image", cause);
        }
        let mut problem = Self::new(error.code(), error.to_string());
        match &error {
            GateError::Backing { name, .. } if !name.is_empty() => problem = problem.fact("backing file", name),
            GateError::DataFile { name } if !name.is_empty() => problem = problem.fact("data file", name),
            _ => {}
        }
        match error.hint() {
            Some(hint) => problem.hint(hint),
            None => problem,
        }
    }
}
