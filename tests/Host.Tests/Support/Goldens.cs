namespace RepNoise.Host.Tests.Support;

/// <summary>Where the models that tests compare with lie.</summary>
internal static class Goldens
{
    /// <summary>The committed golden models.</summary>
    public static string Folder { get; } = Find("tests/goldens") ?? throw new DirectoryNotFoundException("tests/goldens");

    /// <summary>The full set of reference models, where the machine has it beside the repository; else null.</summary>
    public static string? Reference { get; } = Find("shared/reference/models");

    private static string? Find(string relative)
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            string candidate = Path.Combine(folder.FullName, relative);
            if (Directory.Exists(candidate))
            {
                return candidate;
            }
        }

        return null;
    }
}
