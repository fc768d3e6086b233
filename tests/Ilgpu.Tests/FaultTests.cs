using System.Diagnostics;
using ILGPU;
using ILGPU.Runtime;
using RepNoise.Kernels.Ilgpu;

namespace RepNoise.Ilgpu.Tests;

/// <summary>An exception inside a kernel ends the process on ILGPU's CPU accelerator; its last words name the kernel.</summary>
public sealed class FaultTests
{
    /// <summary>Set in the process that is to die.</summary>
    private const string Variable = "REPNOISE_TEST_FAULT";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    [Fact]
    public async Task The_kernel_that_died_is_named()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not null)
        {
            DivideByZero();
            return;
        }

        string[] arguments = ["-noColor", "-method", $"*.{nameof(FaultTests)}.{nameof(The_kernel_that_died_is_named)}"];
        var start = new ProcessStartInfo(Environment.ProcessPath!, arguments) { RedirectStandardError = true, RedirectStandardOutput = true };
        start.Environment[Variable] = "1";
        start.Environment["DOTNET_DbgEnableMiniDump"] = "0"; // no dump of memory
        using var child = Process.Start(start)!;
        var stop = TestContext.Current.CancellationToken;
        Task<string> output = child.StandardOutput.ReadToEndAsync(stop), errors = child.StandardError.ReadToEndAsync(stop);
        try
        {
            await child.WaitForExitAsync(stop).WaitAsync(Patience, stop);
        }
        finally
        {
            child.Kill(entireProcessTree: true);
        }

        Assert.True(child.ExitCode != 0, await output);
        Assert.Contains("ilgpu:cpu: this process ends in, or soon after, kernel MmdDistances: DivideByZeroException", await errors, StringComparison.Ordinal);
    }

    /// <summary>Launches a kernel with blocks of no channels.</summary>
    private static void DivideByZero()
    {
        var runtime = AcceleratorRuntime.Get(AcceleratorKind.Cpu, "ilgpu:cpu");
        using var stream = runtime.Accelerator.CreateStream();
        new IlgpuKernels(runtime).MmdDistances(stream, new KernelConfig(1, 16), default, default, default, default, 0);
        stream.Synchronize();
    }
}
