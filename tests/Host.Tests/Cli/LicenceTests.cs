using System.Text.Json;
using System.Text.RegularExpressions;
using RepNoise.Host.Tests.Support;

namespace RepNoise.Host.Tests.Cli;

/// <summary>THIRD-PARTY.md lists what the lock files pin, no more and no less, each with the licence that its package declares.</summary>
public sealed partial class LicenceTests
{
    private static readonly string[] Accepted = ["MIT", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "NCSA", "MS-PL"];

    [Fact]
    public void Every_package_that_is_locked_is_listed_with_its_licence()
    {
        var listed = Listed().ToList();
        Assert.Equal(Locked().Order(), listed.Select(row => (row.Name, row.Version)).Order());
        Assert.All(listed, row => Assert.Contains(row.Licence, Accepted));
        Assert.Equal(listed.Count, listed.DistinctBy(row => row.Name).Count());
    }

    [Fact]
    public void The_licences_are_those_of_the_packages_where_they_declare_one()
    {
        string cache = Environment.GetEnvironmentVariable("NUGET_PACKAGES")
            ?? Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".nuget", "packages");
        Assert.SkipUnless(Directory.Exists(cache), "the packages are not on this machine");
        foreach (var row in Listed())
        {
            string name = row.Name.ToLowerInvariant(), path = Path.Combine(cache, name, row.Version.ToLowerInvariant(), name + ".nuspec");
            if (File.Exists(path) && Expression().Match(File.ReadAllText(path)) is { Success: true } declared)
                Assert.Equal((row.Name, declared.Groups[1].Value), (row.Name, row.Licence));
        }
    }

    private static IEnumerable<(string Name, string Version, string Licence)> Listed() =>
        File.ReadLines(Path.Combine(Repository.Root, "THIRD-PARTY.md")).Select(line => Row().Match(line)).Where(match => match.Success && match.Groups[2].Value != "version")
            .Select(match => (match.Groups[1].Value, match.Groups[2].Value, match.Groups[3].Value));

    private static HashSet<(string Name, string Version)> Locked() =>
        [.. ((string[])["src", "tests", "bench"]).SelectMany(folder => Directory.EnumerateFiles(Path.Combine(Repository.Root, folder), "packages.lock.json", SearchOption.AllDirectories))
            .SelectMany(Packages)];

    private static List<(string, string)> Packages(string path)
    {
        using var document = JsonDocument.Parse(File.ReadAllBytes(path));
        return [.. document.RootElement.GetProperty("dependencies").EnumerateObject().SelectMany(framework => framework.Value.EnumerateObject())
            .Where(package => package.Value.TryGetProperty("resolved", out _)).Select(package => (package.Name, package.Value.GetProperty("resolved").GetString()!))];
    }

    [GeneratedRegex(@"^\| (\S+) \| (\S+) \| (\S+) \|")]
    private static partial Regex Row();

    [GeneratedRegex("""<license type="expression">([^<]+)<""")]
    private static partial Regex Expression();
}
