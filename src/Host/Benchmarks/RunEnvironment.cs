using System.Reflection;
using System.Runtime.InteropServices;
using RepNoise.Kernels.Cpu;

namespace RepNoise.Host.Benchmarks;

/// <summary>What a measurement must say of where it was taken.</summary>
internal static class RunEnvironment
{
    /// <summary>Processor and number of cores.</summary>
    public static string Machine { get; } = $"{CpuDevice.ProcessorName()}, {Environment.ProcessorCount} cores";

    /// <summary>Program, runtime and operating system.</summary>
    public static string Versions { get; } = $"repnoise {Build().Version}, .NET {Environment.Version}, {RuntimeInformation.OSDescription}";

    /// <summary>The commit that the program was built from, or "unknown" where the build did not know it.</summary>
    public static string Commit { get; } = Build().Commit;

    private static (string Version, string Commit) Build()
    {
        string text = typeof(RunEnvironment).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()!.InformationalVersion;
        string[] parts = text.Split('+');
        return (parts[0], parts.Length > 1 ? parts[1] : "unknown");
    }
}
