using System.Runtime.CompilerServices;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Ilgpu.Tests;

/// <summary>Says which kernel was running when a fault in one ends the process.</summary>
internal static class FaultReport
{
    [ModuleInitializer]
    internal static void Install() => AppDomain.CurrentDomain.UnhandledException +=
        (_, fault) => Console.Error.WriteLine(
            $"ilgpu:cpu: this process ends in, or soon after, kernel {IlgpuKernels.LastRequested}: {Describe(fault.ExceptionObject as Exception)}");

    private static string Describe(Exception? fault) =>
        fault?.GetBaseException() is { } cause ? $"{cause.GetType().Name}: {cause.Message}" : "no exception of .NET";
}
