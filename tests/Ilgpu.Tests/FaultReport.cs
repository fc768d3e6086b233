using System.Runtime.CompilerServices;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Ilgpu.Tests;

/// <summary>
/// Ends the process at the first fault of a kernel and says which was running. The runner's own handler lets the tests that still run come to
/// their end first, so that its exit code depends on who is faster.
/// </summary>
internal static class FaultReport
{
    [ModuleInitializer]
    internal static void Install() => AppDomain.CurrentDomain.UnhandledException +=
        (_, fault) => Environment.FailFast(
            $"ilgpu:cpu: this process ends in, or soon after, kernel {IlgpuKernels.LastRequested}: {Describe(fault.ExceptionObject as Exception)}");

    private static string Describe(Exception? fault) =>
        fault?.GetBaseException() is { } cause ? $"{cause.GetType().Name}: {cause.Message}" : "no exception of .NET";
}
