//! Kernel arguments. Touches nothing.

use super::context::Context;
use crate::base::text::one_line;
use crate::guest_report::Kind;
use crate::provision::checks::GuestCheck;
use crate::provision::engines::choice::Feature;
use crate::provision::guest::Task;

/// Adds the kernel arguments.
pub(crate) fn kernel_arguments(cx: &mut Context<'_>) {
    let arguments = &cx.recipe.provision.settings.kernel_arguments;
    let Some(first) = arguments.first() else { return };
    for argument in arguments {
        cx.outputs.record(Feature::KernelArguments, format!("kernel argument {}", one_line(&argument.value, 100)));
        let check = GuestCheck::new(Kind::KernelArgument, &argument.value, []);
        cx.outputs.checks.push((Feature::KernelArguments, check));
    }
    let guest = cx.outputs.guest(Feature::KernelArguments);
    guest.kernel_arguments.clone_from(arguments);
    guest.tasks.push(Task::KernelArguments(first.place.clone()));
}
